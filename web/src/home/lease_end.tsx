import { useState } from "preact/hooks";
import { api } from "../api";
import { exactly, lasting } from "../format";
import { useNow } from "../live";
import type { LeaseEndModel } from "../models";
import { attempt, tell } from "../parts/toast";

interface LeaseEndProps {
  lease: LeaseEndModel;
  label: string;
  refresh: () => Promise<void>;
}

// Until when a server has its GPU, and how to have it for longer.
export function LeaseEnd({ lease, label, refresh }: LeaseEndProps) {
  const now = useNow(10000);
  const [busy, setBusy] = useState(false);
  const extend = async () => {
    setBusy(true);
    await attempt(async () => tell(`Its GPU stays until ${exactly((await api.extendLease(lease.id)).until)}.`));
    await refresh();
    setBusy(false);
  };
  return (
    <span class="lease-end">
      <span title={exactly(lease.until)}>Its GPU is yours for {lasting(Date.parse(lease.until) - now)}</span>
      <button type="button" class="btn btn-quiet" disabled={busy} aria-label={`Extend the time of ${label}`} onClick={extend}>
        Extend
      </button>
    </span>
  );
}
