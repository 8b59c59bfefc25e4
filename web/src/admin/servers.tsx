import { useCallback, useState } from "preact/hooks";
import { api } from "../api";
import { lasting } from "../format";
import { useLive, useNow } from "../live";
import type { DeviceModel, ServerModel, UserModel } from "../models";
import { pendingUrl } from "../page";
import { Confirm } from "../parts/dialog";
import { Ago, Loading, Note } from "../parts/parts";
import { attempt } from "../parts/toast";
import { deviceNames, isActive, labelOf, stateOf } from "../servers";
import { Pager } from "./pager";

const pageSize = 50;

interface Row {
  user: string;
  server: ServerModel;
}

const rowsOf = (users: readonly UserModel[]): Row[] =>
  users.flatMap((user) => Object.values(user.servers ?? {}).filter(isActive).map((server) => ({ user: user.name, server })));

interface RowProps extends Row {
  devices: readonly DeviceModel[];
  now: number;
  onStop: () => void;
}

function ServerRow({ user, server, devices, now, onStop }: RowProps) {
  const state = stateOf(server);
  const held = server.berth?.devices ?? [];
  return (
    <tr>
      <td data-label="Server" class="wrap"><span><span class="strong">{user}</span><br />{labelOf(server)}</span></td>
      <td data-label="State"><span class={`pill ${state.pill}`}>{state.label}</span></td>
      <td data-label="Profile" class="wrap">{server.berth?.profile ?? <span class="muted">none</span>}</td>
      <td data-label="GPUs" title={held.join("\n")}>
        {held.length === 0 ? <span class="muted">none</span> : deviceNames(held, devices)}
      </td>
      <td data-label="Running" class="num nowrap">{server.started ? lasting(now - Date.parse(server.started)) : ""}</td>
      <td data-label="Last activity"><Ago time={server.last_activity} /></td>
      <td class="cell-end">
        <span class="actions">
          <a class="btn" href={server.ready ? server.url : pendingUrl(user, server.name)}
            aria-label={`Open ${labelOf(server)} of ${user}`}>Open</a>
          <button type="button" class="btn btn-danger" aria-label={`Stop ${labelOf(server)} of ${user}`}
            disabled={server.pending === "stop"} onClick={onStop}>Stop</button>
        </span>
      </td>
    </tr>
  );
}

export function Servers() {
  const [offset, setOffset] = useState(0);
  const [asked, setAsked] = useState<Row>();
  const now = useNow(10000);
  const gpus = useLive(api.gpus, 15000);
  const users = useLive(
    useCallback(() => api.users({ offset, limit: pageSize, name_filter: "", state: "active", sort: "name" }), [offset]), 3000);
  const stop = async ({ user, server }: Row) => {
    await attempt(() => api.stop(user, server.name), `${labelOf(server)} of ${user} stops.`);
    await users.refresh();
  };
  if (users.value === undefined) return <Loading error={users.error} />;
  const rows = rowsOf(users.value.items);
  return (
    <div class="stack">
      {users.error !== undefined && <Note tone="danger">{users.error}</Note>}
      <div class="card table-box">
        {rows.length === 0 ? <p class="empty">No server is running.</p> : (
          <table>
            <thead>
              <tr>
                {["Server", "State", "Profile", "GPUs", "Running", "Last activity"].map((head) => (
                  <th scope="col" key={head}>{head}</th>
                ))}
                <th scope="col"><span class="visually-hidden">Actions</span></th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <ServerRow key={`${row.user}/${row.server.name}`} {...row} devices={gpus.value?.devices ?? []} now={now}
                  onStop={() => setAsked(row)} />
              ))}
            </tbody>
          </table>
        )}
      </div>
      <Pager offset={offset} limit={pageSize} total={users.value._pagination.total} one="user with servers"
        many="users with servers" onMove={setOffset} />
      {asked !== undefined && (
        <Confirm title={`Stop ${labelOf(asked.server)} of ${asked.user}?`} action="Stop server"
          text="What is not saved in open notebooks is lost." onYes={() => stop(asked)} onClose={() => setAsked(undefined)} />
      )}
    </div>
  );
}
