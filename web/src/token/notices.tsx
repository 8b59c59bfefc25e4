import { useCallback, useEffect, useState } from "preact/hooks";
import { api } from "../api";
import { useLive } from "../live";
import type { NoticesModel } from "../models";
import { me } from "../page";
import { Loading } from "../parts/parts";
import { attempt } from "../parts/toast";
import { browserCan, endpointHere, switchOff, switchOn } from "./browser_notices";

interface BrowserProps {
  browsers: NoticesModel["browsers"] | undefined;
  refresh: () => Promise<void>;
}

function BrowserNotices({ browsers, refresh }: BrowserProps) {
  const [endpoint, setEndpoint] = useState<string>();
  useEffect(() => { void endpointHere().then(setEndpoint); }, [browsers]);
  const key = browsers?.key;
  if (browsers?.possible !== true || key === undefined) return null;
  if (!browserCan()) return <p class="hint">Not by this browser: it takes notices only where the hub has https.</p>;
  const on = endpoint !== undefined && (browsers.endpoints ?? []).includes(endpoint);
  const change = async (wanted: boolean) => {
    await attempt(() => (wanted ? switchOn(key) : switchOff()), wanted ? "This browser tells you." : "It tells you no more.");
    await refresh();
  };
  return (
    <label class="row">
      <input type="checkbox" id="notices-browser" checked={on} onChange={(event) => change(event.currentTarget.checked)} />
      <span>By this browser, also while it shows no page of the hub</span>
    </label>
  );
}

// How people are told of their servers while no page of theirs is open.
export function Notices() {
  const notices = useLive(useCallback(() => api.notices(me), []), 60000);
  const mail = notices.value?.mail;
  const setMail = async (wanted: boolean) => {
    await attempt(() => api.setNotices(me, { mail: wanted }), wanted ? "You get mail." : "You get no more mail.");
    await notices.refresh();
  };
  return (
    <section class="stack-s" aria-labelledby="notices-title">
      <h2 id="notices-title">Notices</h2>
      <p class="lead">When a server that waited for a GPU is ready, is about to stop, has ended, or could not start.</p>
      {mail === undefined ? <Loading error={notices.error} /> : (
        <div class="card notices stack-s">
          {mail.possible && mail.address !== null ? (
            <label class="row">
              <input type="checkbox" id="notices-mail" checked={mail.wanted}
                onChange={(event) => setMail(event.currentTarget.checked)} />
              <span>By mail to {mail.address}</span>
            </label>
          ) : (
            <p class="hint">
              {mail.possible ? "No mail: your account has no address." : "No mail: the administrator has not set it up."}
            </p>
          )}
          <BrowserNotices browsers={notices.value?.browsers} refresh={notices.refresh} />
        </div>
      )}
    </section>
  );
}
