import { useState } from "preact/hooks";
import { api } from "../api";
import { me, page } from "../page";
import { Note, Secret } from "../parts/parts";
import { attempt } from "../parts/toast";

// Calendar programs send no cookie: theirs is an address with a token that may only read GPUs.
export function CalendarAddress() {
  const [address, setAddress] = useState<string>();
  const feed = `${page.hub}api/berth/gpu/reservations.ics`;
  const make = () =>
    attempt(async () => {
      const made = await api.addToken(me, { note: "Calendar of GPU reservations", scopes: [`gpu:read!user=${me}`] });
      setAddress(`${new URL(feed, location.href).href}?token=${made.token ?? ""}`);
    });
  return (
    <div class="stack-s">
      <p class="small muted">
        As a calendar: <a href={feed}>reservations.ics</a>, or{" "}
        <button type="button" class="btn" onClick={() => void make()}>make an address to subscribe to</button>
      </p>
      {address !== undefined && (
        <Note tone="ok">
          <div class="stack-s">
            <p>Copy it into your calendar now. Whoever has it sees the reservations; revoke it on the page “Token”.</p>
            <Secret label="Calendar address" value={address} />
          </div>
        </Note>
      )}
    </div>
  );
}
