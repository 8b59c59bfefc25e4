import { useState } from "preact/hooks";
import { api, messageOf } from "../api";
import { slug } from "../format";
import { me, page } from "../page";
import { Dialog } from "../parts/dialog";
import { Note } from "../parts/parts";
import { tell } from "../parts/toast";

interface AddServerProps {
  taken: readonly string[];
  onClose: () => void;
  onAdded: () => Promise<void>;
}

export function AddServer({ taken, onClose, onAdded }: AddServerProps) {
  const [title, setTitle] = useState("");
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const name = slug(title.trim());

  const submit = async (event: Event) => {
    event.preventDefault();
    if (taken.includes(name)) return setError("You have a server of this name. Choose another.");
    setBusy(true);
    try {
      await api.addServer(me, name, title.trim());
      await onAdded();
      tell(`${title.trim()} is added. Start it when you need it.`);
      onClose();
    } catch (failure) {
      setError(messageOf(failure));
      setBusy(false);
    }
  };

  return (
    <Dialog title="Add a server" onClose={onClose}>
      <form class="stack" onSubmit={submit}>
        {error !== undefined && <Note tone="danger">{error}</Note>}
        <div class="field">
          <label for="server-title">Name</label>
          <input id="server-title" class="input" required maxLength={255} autofocus autocomplete="off"
            placeholder="Training runs" value={title} aria-describedby="server-address"
            onInput={(event) => { setTitle(event.currentTarget.value); setError(undefined); }} />
          <p class="hint wrap" id="server-address">
            {title.trim() === "" ? "A second notebook server beside your first." :
              <>Its address: <code>{`${page.base}user/${me}/${name}/`}</code></>}
          </p>
        </div>
        <div class="dialog-actions">
          <button type="button" class="btn" onClick={onClose}>Cancel</button>
          <button type="submit" class="btn btn-primary" disabled={busy}>Add server</button>
        </div>
      </form>
    </Dialog>
  );
}
