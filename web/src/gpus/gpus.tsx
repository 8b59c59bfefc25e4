import { api } from "../api";
import { useLive } from "../live";
import { GpuBoard } from "../parts/board";
import { Reservations } from "./reservations";

// What GPUs do and did, and for whom they are kept.
export function Gpus() {
  const devices = useLive(api.gpus, 60000).value?.devices ?? [];
  return (
    <div class="stack-l">
      <GpuBoard />
      {devices.length > 0 && <Reservations devices={devices} />}
    </div>
  );
}

export function GpuPage() {
  return (
    <>
      <div class="page-head"><h1>GPUs</h1></div>
      <Gpus />
    </>
  );
}
