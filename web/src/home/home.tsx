import { useCallback, useRef, useState } from "preact/hooks";
import { api } from "../api";
import { useGpuEvents } from "../events";
import { useLive } from "../live";
import type { ServerModel, UserModel } from "../models";
import { me, page } from "../page";
import { Icon } from "../parts/icons";
import { Loading, Note } from "../parts/parts";
import { emptyServer } from "../servers";
import { AddServer } from "./add_server";
import { GpuSummary } from "./gpu_summary";
import { MyGpu } from "./my_gpu";
import { ServerRow } from "./server_row";

const isPending = (server: ServerModel): boolean => server.pending !== null;

// Often while something changes, seldom while nothing does.
const pace = (user: UserModel | undefined): number =>
  Object.values(user?.servers ?? {}).some(isPending) ? 1000 : 5000;

// The default server first, whether it ever ran or not; the others by name.
function inOrder(user: UserModel): ServerModel[] {
  const { "": first = emptyServer(""), ...others } = user.servers ?? {};
  return [first, ...Object.values(others).sort((a, b) => a.name.localeCompare(b.name))];
}

export function Home() {
  const user = useLive(useCallback(() => api.user(me), []), pace);
  const told = useRef(false);
  const gpus = useLive(api.gpus, () => (told.current ? 60000 : 10000));
  told.current = useGpuEvents((changed) => {
    if (changed.includes("devices") || changed.includes("leases")) void gpus.refresh();
  });
  const [adding, setAdding] = useState(false);
  return (
    <>
      <div class="page-head">
        <h1>Servers</h1>
        {page.data.named_servers_allowed && (
          <button type="button" class="btn" onClick={() => setAdding(true)}><Icon name="plus" />Add a server</button>
        )}
      </div>
      <div class={gpus.value?.devices.length ? "split" : ""}>
        <div class="stack">
          {user.error !== undefined && <Note tone="danger">{user.error}</Note>}
          {user.value === undefined ? user.error === undefined && <Loading /> : (
            <ul class="card card-list" aria-label="My servers">
              {inOrder(user.value).map((server) => (
                <ServerRow key={server.name} server={server} devices={gpus.value?.devices ?? []}
                  refresh={user.refresh} />
              ))}
            </ul>
          )}
        </div>
        {gpus.value !== undefined && gpus.value.devices.length > 0 && (
          <div class="stack">
            <MyGpu devices={gpus.value.devices} servers={Object.values(user.value?.servers ?? {})} />
            <GpuSummary gpus={gpus.value} />
          </div>
        )}
      </div>
      {adding && (
        <AddServer taken={Object.keys(user.value?.servers ?? {})} onClose={() => setAdding(false)}
          onAdded={user.refresh} />
      )}
    </>
  );
}
