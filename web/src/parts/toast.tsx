// Short messages in the corner, told to screen readers as they come. One stack for the page.
import { useEffect, useState } from "preact/hooks";
import { messageOf } from "../api";
import { Icon } from "./icons";

interface Toast {
  id: number;
  text: string;
  danger: boolean;
}

let next = 1;
let toasts: Toast[] = [];
let changed: () => void = () => undefined;

function drop(id: number) {
  toasts = toasts.filter((toast) => toast.id !== id);
  changed();
}

export function tell(text: string, danger = false) {
  const id = next++;
  toasts = [...toasts.slice(-3), { id, text, danger }];
  changed();
  setTimeout(() => drop(id), danger ? 12000 : 5000);
}

// Runs an action of the page and tells its failure.
export async function attempt(action: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await action();
    if (done !== undefined) tell(done);
    return true;
  } catch (error) {
    tell(messageOf(error), true);
    return false;
  }
}

export function Toasts() {
  const [, draw] = useState(0);
  useEffect(() => {
    changed = () => draw((turn) => turn + 1);
    return () => (changed = () => undefined);
  }, []);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.map((toast) => (
        <div class={`toast${toast.danger ? " toast-danger" : ""}`} key={toast.id}>
          <span class="grow">{toast.text}</span>
          <button type="button" class="btn btn-quiet btn-icon" aria-label="Dismiss" onClick={() => drop(toast.id)}>
            <Icon name="cross" />
          </button>
        </div>
      ))}
    </div>
  );
}
