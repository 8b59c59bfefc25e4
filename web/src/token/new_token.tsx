import { useState } from "preact/hooks";
import { api, messageOf } from "../api";
import type { TokenModel } from "../models";
import { me, page } from "../page";
import { Icon } from "../parts/icons";
import { Note } from "../parts/parts";

const lifetimes: [string, string][] = [
  ["3600", "1 hour"],
  ["86400", "1 day"],
  ["604800", "1 week"],
  ["2592000", "30 days"],
  ["31536000", "1 year"],
  ["", "Never expires"],
];

// The rights most tokens are for; any other can be typed.
const commonScopes: [string, string][] = [
  [`access:servers!user=${me}`, "Use your servers"],
  [`servers!user=${me}`, "Start and stop your servers"],
  [`read:users!user=${me}`, "Read your account"],
  [`tokens!user=${me}`, "Manage your tokens"],
];
const adminScopes: [string, string][] = [
  ["list:users", "List all users"],
  ["admin:users", "Manage all users"],
  ["admin:servers", "Manage all servers"],
  ["read:metrics", "Read metrics"],
];

interface ScopesProps {
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
  typed: string;
  onType: (typed: string) => void;
}

function Scopes({ chosen, onChange, typed, onType }: ScopesProps) {
  const offered = page.admin ? [...commonScopes, ...adminScopes] : commonScopes;
  const toggle = (scope: string) =>
    onChange(chosen.includes(scope) ? chosen.filter((each) => each !== scope) : [...chosen, scope]);
  return (
    <div class="stack">
      <p class="hint">With none chosen, the token may do everything that you may.</p>
      <div class="scope-grid">
        {offered.map(([scope, sentence]) => (
          <label class="check" key={scope}>
            <input type="checkbox" checked={chosen.includes(scope)} onChange={() => toggle(scope)} />
            <span class="wrap">{sentence}<br /><code class="muted">{scope}</code></span>
          </label>
        ))}
      </div>
      <div class="field">
        <label for="token-scopes">Other scopes</label>
        <input id="token-scopes" class="input" autocomplete="off" autocapitalize="off" spellcheck={false} value={typed}
          placeholder="read:servers list:groups" onInput={(event) => onType(event.currentTarget.value)} />
      </div>
    </div>
  );
}

export function NewToken({ onAdded }: { onAdded: (token: TokenModel) => Promise<void> }) {
  const [note, setNote] = useState("");
  const [lifetime, setLifetime] = useState("2592000");
  const [chosen, setChosen] = useState<string[]>([]);
  const [typed, setTyped] = useState("");
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);

  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    const scopes = [...chosen, ...typed.split(/[\s,]+/).filter((scope) => scope !== "")];
    try {
      const token = await api.addToken(me, {
        note: note.trim() || "Made on the token page",
        expires_in: lifetime === "" ? null : Number(lifetime),
        ...(scopes.length > 0 ? { scopes } : {}),
      });
      setNote("");
      await onAdded(token);
    } catch (failure) {
      setError(messageOf(failure));
    }
    setBusy(false);
  };

  return (
    <form class="card card-pad stack" onSubmit={submit} aria-labelledby="new-token">
      <h2 id="new-token">New token</h2>
      {error !== undefined && <Note tone="danger">{error}</Note>}
      <div class="form-grid">
        <div class="field">
          <label for="token-note">What is it for?</label>
          <input id="token-note" class="input" maxLength={255} placeholder="Nightly training script" value={note}
            autocomplete="off" onInput={(event) => setNote(event.currentTarget.value)} />
        </div>
        <div class="field">
          <label for="token-expiration-seconds">Lifetime</label>
          <select id="token-expiration-seconds" class="input" value={lifetime}
            onChange={(event) => setLifetime(event.currentTarget.value)}>
            {lifetimes.map(([seconds, label]) => <option key={label} value={seconds}>{label}</option>)}
          </select>
        </div>
        <button type="submit" class="btn btn-primary" disabled={busy}><Icon name="key" />Create token</button>
      </div>
      <details>
        <summary>Limit what it may do</summary>
        <Scopes chosen={chosen} onChange={setChosen} typed={typed} onType={setTyped} />
      </details>
    </form>
  );
}
