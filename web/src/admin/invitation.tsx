import { useEffect, useState } from "preact/hooks";
import { api, messageOf } from "../api";
import { ago } from "../format";
import { Dialog } from "../parts/dialog";
import { Loading, Secret } from "../parts/parts";

// A one-time link by which a person chooses a password.
export function Invitation({ user, onClose }: { user: string; onClose: () => void }) {
  const [link, setLink] = useState<{ url: string; expires_at: string }>();
  const [error, setError] = useState<string>();
  useEffect(() => {
    api.invite(user).then(setLink, (failure: unknown) => setError(messageOf(failure)));
  }, [user]);
  return (
    <Dialog title={`Invite ${user}`} onClose={onClose}>
      {link === undefined ? <Loading error={error} /> : (
        <>
          <p class="lead">
            Send this link to {user}. It lets them choose a password, works once, and ends {ago(link.expires_at)}.
          </p>
          <Secret label="Invitation link" value={new URL(link.url, location.href).href} />
        </>
      )}
      <div class="dialog-actions"><button type="button" class="btn" onClick={onClose}>Close</button></div>
    </Dialog>
  );
}
