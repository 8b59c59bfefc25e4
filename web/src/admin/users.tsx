import { useCallback, useEffect, useState } from "preact/hooks";
import { api } from "../api";
import type { UserQuery } from "../api";
import { useLive } from "../live";
import { Icon } from "../parts/icons";
import { Loading, Note } from "../parts/parts";
import { AddUsers } from "./add_users";
import { Pager } from "./pager";
import { UserTable } from "./user_table";

const pageSize = 50;

export function Users() {
  const [query, setQuery] = useState<UserQuery>({ offset: 0, limit: pageSize, name_filter: "", state: "", sort: "name" });
  const [typed, setTyped] = useState("");
  const [adding, setAdding] = useState(false);
  const users = useLive(useCallback(() => api.users(query), [query]), 5000);

  useEffect(() => {
    const timer = setTimeout(() => {
      const filter = typed.trim();
      setQuery((old) => (old.name_filter === filter ? old : { ...old, offset: 0, name_filter: filter }));
    }, 200);
    return () => clearTimeout(timer);
  }, [typed]);

  const total = users.value?._pagination.total ?? 0;
  return (
    <>
      <div class="toolbar">
        <input type="search" class="input search" placeholder="Search users" aria-label="Search users" value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)} />
        <select class="input" aria-label="Show" value={query.state}
          onChange={(event) => setQuery({ ...query, offset: 0, state: event.currentTarget.value })}>
          <option value="">All users</option>
          <option value="active">With active servers</option>
          <option value="ready">With running servers</option>
          <option value="inactive">Without active servers</option>
        </select>
        <button type="button" class="btn btn-primary" onClick={() => setAdding(true)}><Icon name="plus" />Add users</button>
      </div>
      <div class="stack">
        {users.error !== undefined && <Note tone="danger">{users.error}</Note>}
        {users.value === undefined ? users.error === undefined && <Loading /> : (
          <>
            <UserTable users={users.value.items} sort={query.sort} refresh={users.refresh}
              onSort={(sort) => setQuery({ ...query, offset: 0, sort })}
              empty={query.name_filter || query.state ? "Nobody matches." : "No users yet."} />
            <Pager offset={query.offset} limit={pageSize} total={total} one="user"
              onMove={(offset) => setQuery({ ...query, offset })} />
          </>
        )}
      </div>
      {adding && <AddUsers onClose={() => setAdding(false)} onAdded={users.refresh} />}
    </>
  );
}
