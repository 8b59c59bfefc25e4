// A menu of actions behind a "more" button, with the keys that people expect (arrows, Home, End, Escape).
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icons";

export interface MenuItem {
  label: string;
  danger?: boolean;
  act: () => void;
}

export function Menu({ label, items }: { label: string; items: MenuItem[] }) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const close = (refocus: boolean) => {
    setOpen(false);
    if (refocus) button.current?.focus();
  };

  useLayoutEffect(() => {
    const menu = list.current;
    const anchor = button.current?.getBoundingClientRect();
    if (!open || !menu || !anchor) return;
    // Fixed, so that a scrolling table does not cut it; above the button where there is no room below.
    const below = anchor.bottom + 4;
    const fits = below + menu.offsetHeight < innerHeight;
    menu.style.top = `${Math.max(8, fits ? below : anchor.top - menu.offsetHeight - 4)}px`;
    menu.style.left = `${Math.max(8, anchor.right - menu.offsetWidth)}px`;
    menu.querySelector("button")?.focus();
  }, [open]);

  useEffect(() => {
    if (!open) return;
    const away = (event: Event) => {
      if (!list.current?.contains(event.target as Node) && !button.current?.contains(event.target as Node)) close(false);
    };
    const moved = () => close(false);
    document.addEventListener("pointerdown", away);
    addEventListener("scroll", moved, true);
    addEventListener("resize", moved);
    return () => {
      document.removeEventListener("pointerdown", away);
      removeEventListener("scroll", moved, true);
      removeEventListener("resize", moved);
    };
  }, [open]);

  const onKeyDown = (event: KeyboardEvent) => {
    const entries = [...(list.current?.querySelectorAll("button") ?? [])];
    const at = entries.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowDown: (at + 1) % entries.length, ArrowUp: (at - 1 + entries.length) % entries.length,
      Home: 0, End: entries.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      entries[to]?.focus();
    } else if (event.key === "Escape") {
      event.preventDefault();
      close(true);
    } else if (event.key === "Tab") {
      close(true);
    }
  };

  return (
    <div class="menu">
      <button type="button" ref={button} class="btn btn-quiet btn-icon" aria-label={label} aria-haspopup="menu"
        aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon name="more" />
      </button>
      {open && (
        <div class="menu-list" role="menu" ref={list} aria-label={label} onKeyDown={onKeyDown}>
          {items.map((item) => (
            <button type="button" role="menuitem" tabIndex={-1} key={item.label}
              class={item.danger ? "is-danger" : ""} onClick={() => { close(true); item.act(); }}>
              {item.label}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
