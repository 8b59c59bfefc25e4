import { useState } from "preact/hooks";
import { api } from "../api";
import { ago, lasting } from "../format";
import { useNow } from "../live";
import type { DeviceModel, ServerModel } from "../models";
import { me, pendingUrl, spawnUrl } from "../page";
import { Confirm } from "../parts/dialog";
import { Icon } from "../parts/icons";
import { Menu } from "../parts/menu";
import { Fact, Note } from "../parts/parts";
import { attempt } from "../parts/toast";
import { deviceNames, failureParts, isActive, labelOf, stateOf } from "../servers";
import { Ending } from "./ending";
import { LeaseEnd } from "./lease_end";

interface RowProps {
  server: ServerModel;
  devices: readonly DeviceModel[];
  refresh: () => Promise<void>;
}

function Facts({ server, devices }: Omit<RowProps, "refresh">) {
  const now = useNow(10000);
  const held = server.berth?.devices ?? [];
  const profile = server.berth?.profile;
  return (
    <div class="server-facts">
      {profile && <Fact icon="box" title="Profile">{profile}</Fact>}
      {held.length > 0 && <Fact icon="chip" title={held.join("\n")}>{deviceNames(held, devices)}</Fact>}
      {server.ready && server.started && (
        <Fact icon="clock">Up {lasting(now - Date.parse(server.started))}</Fact>
      )}
      {server.last_activity && <Fact icon="pulse">Active {ago(server.last_activity, now)}</Fact>}
      {!isActive(server) && !server.last_activity && <span>Never started</span>}
    </div>
  );
}

function Actions({ server, refresh }: Omit<RowProps, "devices">) {
  const [busy, setBusy] = useState(false);
  const [removing, setRemoving] = useState(false);
  const label = labelOf(server);
  const first = server.name === "";
  const stop = async () => {
    setBusy(true);
    setTimeout(refresh, 200);  // the answer may take until the server is gone; its state changes at once
    await attempt(() => api.stop(me, server.name));
    await refresh();
    setBusy(false);
  };
  const remove = async () => {
    await attempt(() => api.removeServer(me, server.name), `${label} is removed.`);
    await refresh();
  };
  const stopButton = (
    <button type="button" class="btn" id={first ? "stop" : undefined} disabled={busy} aria-label={`Stop ${label}`}
      onClick={stop}>
      <Icon name="stop" />Stop
    </button>
  );
  if (server.ready) {
    return (
      <div class="server-actions">
        {stopButton}
        <a class="btn btn-primary" id={first ? "open" : undefined} href={server.url} aria-label={`Open ${label}`}>
          <Icon name="open" />Open
        </a>
      </div>
    );
  }
  if (server.pending === "spawn") {
    return (
      <div class="server-actions">
        {stopButton}
        <a class="btn btn-primary" href={pendingUrl(me, server.name)}>Show progress</a>
      </div>
    );
  }
  if (server.pending !== null) return <div class="server-actions"><span class="spinner" /></div>;
  return (
    <div class="server-actions">
      {!first && (
        <Menu label={`More for ${label}`}
          items={[{ label: "Remove server…", danger: true, act: () => setRemoving(true) }]} />
      )}
      <a class="btn btn-primary" id={first ? "start" : undefined} href={spawnUrl(me, server.name)}
        aria-label={`Start ${label}`}>
        <Icon name="play" />Start
      </a>
      {removing && (
        <Confirm title={`Remove ${label}?`} action="Remove server" onYes={remove} onClose={() => setRemoving(false)}
          text="The server and its settings go. Files in your home directory stay." />
      )}
    </div>
  );
}

export function ServerRow({ server, devices, refresh }: RowProps) {
  const state = stateOf(server);
  const failure = failureParts(isActive(server) ? "" : server.berth?.failure ?? "");
  return (
    <li class="server">
      <div>
        <div class="server-name">{labelOf(server)}<span class={`pill ${state.pill}`} role="status">{state.label}</span></div>
        <Facts server={server} devices={devices} />
        {server.ready && server.berth?.lease && !server.berth.ending && (
          <LeaseEnd lease={server.berth.lease} label={labelOf(server)} refresh={refresh} />
        )}
      </div>
      <Actions server={server} refresh={refresh} />
      {server.berth?.ending && <Ending server={server} ending={server.berth.ending} refresh={refresh} />}
      {server.berth?.hint && !server.berth.ending && <Note tone="info">{server.berth.hint}</Note>}
      {server.berth?.notice && !server.berth.ending && <Note tone="warning">{server.berth.notice}</Note>}
      {server.berth?.stop_delayed && <Note tone="warning">{server.berth.stop_delayed}</Note>}
      {!isActive(server) && server.berth?.stopped_because && <Note tone="info">{server.berth.stopped_because}</Note>}
      {failure.sentence !== "" && (
        <Note tone="danger">
          {failure.sentence}
          {failure.log.length > 0 && <> <a href={pendingUrl(me, server.name)}>Show its log</a></>}
        </Note>
      )}
    </li>
  );
}
