// Modal dialogs on the browser's own <dialog>: it traps the focus, closes on Escape and gives the focus back.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const label = useId();
  useEffect(() => {
    element.current?.showModal();
  }, []);
  return (
    <dialog ref={element} aria-labelledby={label} onClose={onClose}
      onMouseDown={(event) => event.target === event.currentTarget && outside(event, event.currentTarget) && onClose()}>
      <div class="stack">
        <h2 id={label}>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

function outside(event: MouseEvent, dialog: HTMLDialogElement): boolean {
  const box = dialog.getBoundingClientRect();
  const { clientX: x, clientY: y } = event;
  return x < box.left || x > box.right || y < box.top || y > box.bottom;
}

interface ConfirmProps {
  title: string;
  text: string;
  action: string;
  onYes: () => Promise<unknown>;
  onClose: () => void;
}

// A question before something that cannot be taken back. The safe answer has the focus.
export function Confirm({ title, text, action, onYes, onClose }: ConfirmProps) {
  const [busy, setBusy] = useState(false);
  const yes = async () => {
    setBusy(true);
    await onYes();
    onClose();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <p class="lead wrap">{text}</p>
      <div class="dialog-actions">
        <button type="button" class="btn" autofocus onClick={onClose}>Cancel</button>
        <button type="button" class="btn btn-danger btn-primary" disabled={busy} onClick={yes}>{action}</button>
      </div>
    </Dialog>
  );
}
