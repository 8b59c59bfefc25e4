// Small parts that several pages use.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { ago, exactly } from "../format";
import { Icon } from "./icons";
import type { IconName } from "./icons";
import { tell } from "./toast";

export type Tone = "danger" | "warning" | "info" | "ok";

export function Note({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <div class={`note note-${tone}`} role={tone === "danger" ? "alert" : "note"}>
      <Icon name={tone === "ok" ? "check" : "alert"} />
      <div class="grow">{children}</div>
    </div>
  );
}

export function Fact({ icon, title, children }: { icon: IconName; title?: string; children: ComponentChildren }) {
  return <span {...(title === undefined ? {} : { title })}><Icon name={icon} /><span>{children}</span></span>;
}

export function Ago({ time }: { time: string | null | undefined }) {
  if (!time) return <span class="muted">never</span>;
  return <time class="nowrap" dateTime={time} title={exactly(time)}>{ago(time)}</time>;
}

// `full`: that it is nearly full is nothing to worry about.
export function Meter({ label, percent, full = "warns" }: { label: string; percent: number; full?: "warns" | "is-fine" }) {
  const whole = Math.round(Math.min(100, Math.max(0, percent)));
  return (
    <div class={`meter${whole >= 90 && full === "warns" ? " meter-warn" : ""}`} role="meter" aria-label={label} aria-valuemin={0}
      aria-valuemax={100} aria-valuenow={whole}>
      <span style={{ width: `${whole}%` }} />
    </div>
  );
}

// Browsers offer the clipboard only to https and localhost; many a lab's hub is plain http.
async function toClipboard(text: string): Promise<void> {
  if (navigator.clipboard as Clipboard | undefined) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("refused");
}

// A text to be copied: a new token, an invitation.
export function Secret({ label, value }: { label: string; value: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await toClipboard(value);
      setCopied(true);
      setTimeout(() => setCopied(false), 2000);
    } catch {
      tell("The browser did not allow copying. Select the text and copy it by hand.", true);
    }
  };
  return (
    <div class="secret">
      <code aria-label={label}>{value}</code>
      <button type="button" class="btn" onClick={copy}>
        <Icon name={copied ? "check" : "copy"} />
        <span aria-live="polite">{copied ? "Copied" : "Copy"}</span>
      </button>
    </div>
  );
}

export function Loading({ error }: { error?: string | undefined }) {
  if (error !== undefined) return <Note tone="danger">{error}</Note>;
  return <div class="skeleton" role="status" aria-label="Loading" />;
}
