import { useState } from "preact/hooks";
import { api } from "../api";
import type { ServerModel, UserModel } from "../models";
import { me, pendingUrl, spawnUrl } from "../page";
import { Confirm } from "../parts/dialog";
import { Menu } from "../parts/menu";
import type { MenuItem } from "../parts/menu";
import { Ago } from "../parts/parts";
import { attempt } from "../parts/toast";
import { isActive, labelOf, stateOf } from "../servers";
import { Invitation } from "./invitation";

interface TableProps {
  users: readonly UserModel[];
  sort: string;
  onSort: (sort: string) => void;
  refresh: () => Promise<void>;
  empty: string;
}

const activeOf = (user: UserModel): ServerModel[] => Object.values(user.servers ?? {}).filter(isActive);

function SortHead({ column, label, sort, onSort }: { column: string; label: string } & Pick<TableProps, "sort" | "onSort">) {
  const order = sort === column ? "ascending" : sort === `-${column}` ? "descending" : "none";
  return (
    <th scope="col" aria-sort={order}>
      <button type="button" class="th-sort" onClick={() => onSort(order === "ascending" ? `-${column}` : column)}>
        {label}<span aria-hidden="true">{{ ascending: "↑", descending: "↓", none: "" }[order]}</span>
      </button>
    </th>
  );
}

function UserServers({ user }: { user: UserModel }) {
  const active = activeOf(user);
  if (active.length === 0) return <span class="muted">None running</span>;
  return (
    <div class="server-chips">
      {active.map((server) => (
        <a key={server.name} class={`pill ${stateOf(server).pill}`} title={stateOf(server).label}
          href={server.ready ? server.url : pendingUrl(user.name, server.name)}>
          {labelOf(server)}
        </a>
      ))}
    </div>
  );
}

interface RowProps {
  user: UserModel;
  refresh: () => Promise<void>;
  onInvite: () => void;
  onDelete: () => void;
}

function UserRow({ user, refresh, onInvite, onDelete }: RowProps) {
  const act = async (action: () => Promise<unknown>, done?: string) => {
    await attempt(action, done);
    await refresh();
  };
  const active = activeOf(user);
  const items: MenuItem[] = [
    { label: "Invitation link…", act: onInvite },
    ...(active.some((server) => server.name === "") ? [] : [
      { label: "Start server…", act: () => location.assign(spawnUrl(user.name, "")) }]),
    ...active.map((server) => ({
      label: `Stop ${labelOf(server)}`,
      act: () => act(() => api.stop(user.name, server.name), `${labelOf(server)} of ${user.name} stops.`),
    })),
  ];
  if (user.name !== me) {
    items.push(
      { label: user.admin ? "Take administrator rights" : "Make administrator",
        act: () => act(() => api.setAdmin(user.name, !user.admin)) },
      { label: "Delete user…", danger: true, act: onDelete },
    );
  }
  return (
    <tr>
      <td data-label="User">
        <span class="row"><span class="strong wrap">{user.name}</span>
          {user.admin && <span class="pill pill-plain pill-accent">Admin</span>}</span>
      </td>
      <td data-label="Servers"><UserServers user={user} /></td>
      <td data-label="Last activity"><Ago time={user.last_activity} /></td>
      <td class="cell-end"><Menu label={`Actions for ${user.name}`} items={items} /></td>
    </tr>
  );
}

export function UserTable({ users, sort, onSort, refresh, empty }: TableProps) {
  const [invited, setInvited] = useState<string>();
  const [doomed, setDoomed] = useState<string>();
  const remove = async (user: string) => {
    await attempt(() => api.deleteUser(user), `${user} is deleted.`);
    await refresh();
  };
  return (
    <div class="card table-box">
      {users.length === 0 ? <p class="empty">{empty}</p> : (
        <table>
          <thead>
            <tr>
              <SortHead column="name" label="User" sort={sort} onSort={onSort} />
              <th scope="col">Servers</th>
              <SortHead column="last_activity" label="Last activity" sort={sort} onSort={onSort} />
              <th scope="col"><span class="visually-hidden">Actions</span></th>
            </tr>
          </thead>
          <tbody>
            {users.map((user) => (
              <UserRow key={user.name} user={user} refresh={refresh} onInvite={() => setInvited(user.name)}
                onDelete={() => setDoomed(user.name)} />
            ))}
          </tbody>
        </table>
      )}
      {invited !== undefined && <Invitation user={invited} onClose={() => setInvited(undefined)} />}
      {doomed !== undefined && (
        <Confirm title={`Delete ${doomed}?`} action="Delete user" onYes={() => remove(doomed)}
          onClose={() => setDoomed(undefined)}
          text="Their servers stop, and their tokens end. Files in their home directory stay." />
      )}
    </div>
  );
}
