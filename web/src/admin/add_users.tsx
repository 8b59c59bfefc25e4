import { useState } from "preact/hooks";
import { api, messageOf } from "../api";
import { count } from "../format";
import { Dialog } from "../parts/dialog";
import { Note } from "../parts/parts";
import { tell } from "../parts/toast";

export function AddUsers({ onClose, onAdded }: { onClose: () => void; onAdded: () => Promise<void> }) {
  const [typed, setTyped] = useState("");
  const [admin, setAdmin] = useState(false);
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const names = [...new Set(typed.split(/[\n,;]+/).map((name) => name.trim()).filter((name) => name !== ""))];

  const submit = async (event: Event) => {
    event.preventDefault();
    if (names.length === 0) return setError("Type at least one name.");
    setBusy(true);
    try {
      const made = await api.addUsers(names, admin);
      await onAdded();
      tell(`${count(made.length, "user")} added. Send each an invitation link so that they can choose a password.`);
      onClose();
    } catch (failure) {
      setError(messageOf(failure));
      setBusy(false);
    }
  };

  return (
    <Dialog title="Add users" onClose={onClose}>
      <form class="stack" onSubmit={submit}>
        {error !== undefined && <Note tone="danger">{error}</Note>}
        <div class="field">
          <label for="new-users">User names</label>
          <textarea id="new-users" class="input" autofocus spellcheck={false} autocapitalize="off" value={typed}
            aria-describedby="new-users-hint"
            onInput={(event) => { setTyped(event.currentTarget.value); setError(undefined); }} />
          <p class="hint" id="new-users-hint">One on each line, or with commas between them.</p>
        </div>
        <label class="check">
          <input type="checkbox" checked={admin} onChange={(event) => setAdmin(event.currentTarget.checked)} />
          <span>Make them administrators</span>
        </label>
        <div class="dialog-actions">
          <button type="button" class="btn" onClick={onClose}>Cancel</button>
          <button type="submit" class="btn btn-primary" disabled={busy}>
            {names.length > 1 ? `Add ${count(names.length, "user")}` : "Add user"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
