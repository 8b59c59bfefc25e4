import { useCallback, useState } from "preact/hooks";
import { api } from "../api";
import { browserOf } from "../format";
import { useLive } from "../live";
import type { SessionModel } from "../models";
import { me, page } from "../page";
import { Confirm } from "../parts/dialog";
import { Ago, Loading } from "../parts/parts";
import { attempt } from "../parts/toast";

// Where the user is signed in, and how to end it: one browser, or all of them with this one.
export function Sessions() {
  const sessions = useLive(useCallback(() => api.sessions(me), []), 30000);
  const [askedAll, setAskedAll] = useState(false);
  const end = async (session: SessionModel) => {
    if (session.current) location.assign(`${page.hub}logout`);
    else await attempt(() => api.endSession(me, session.id), "Signed out there.");
    await sessions.refresh();
  };
  const endAll = async () => {
    await attempt(() => api.endSessions(me), "Signed out everywhere.");
    location.assign(`${page.hub}login`);
  };
  return (
    <section class="stack-s">
      <div class="side-head">
        <h2>Signed in</h2>
        <button type="button" id="sign-out-everywhere" class="btn btn-danger" onClick={() => setAskedAll(true)}>
          Sign out everywhere
        </button>
      </div>
      {sessions.value === undefined ? <Loading error={sessions.error} /> : (
        <div class="card table-box">
          <table>
            <thead>
              <tr>
                <th scope="col">Browser</th>
                <th scope="col">Address</th>
                <th scope="col">Since</th>
                <th scope="col"><span class="visually-hidden">Actions</span></th>
              </tr>
            </thead>
            <tbody>
              {sessions.value.sessions.map((session) => (
                <tr key={session.id}>
                  <td data-label="Browser" class="wrap strong" title={session.user_agent}>
                    {browserOf(session.user_agent)}{session.current && " (this one)"}
                  </td>
                  <td data-label="Address">{session.client_address || "unknown"}</td>
                  <td data-label="Since"><Ago time={session.created} /></td>
                  <td class="cell-end">
                    <button type="button" class="btn btn-danger" onClick={() => end(session)}
                      aria-label={`Sign out ${browserOf(session.user_agent)} at ${session.client_address}`}>
                      Sign out
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {askedAll && (
        <Confirm title="Sign out everywhere?" action="Sign out everywhere"
          text="Every browser that is signed in as you, this one too, must sign in again. Servers go on running; tokens stay."
          onYes={endAll} onClose={() => setAskedAll(false)} />
      )}
    </section>
  );
}
