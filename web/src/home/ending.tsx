import { useState } from "preact/hooks";
import { api } from "../api";
import { count, lasting } from "../format";
import type { EndingModel, ServerModel } from "../models";
import { me } from "../page";
import { Note } from "../parts/parts";
import { attempt, tell } from "../parts/toast";
import { labelOf } from "../servers";

const reasons: Record<EndingModel["because"], string> = {
  idle: "nothing has been done in it for a while",
  max_age: "it has run for as long as it may",
  reclaim: "its GPU has not been used for a while, and somebody waits for one",
  lease: "the time of its GPU is over then",
  preempted: "somebody with a better claim waits for its GPU",
  drain: "its GPU goes out of service",
};

function advice(ending: EndingModel): string {
  if (ending.extensions_left === 0) return `${ending.no_extension ?? ""} Save your work; your files stay.`;
  if (ending.because === "lease") return "You can keep it.";
  return `You can keep it running ${count(ending.extensions_left, "time")} more.`;
}

interface EndingProps {
  server: ServerModel;
  ending: EndingModel;
  refresh: () => Promise<void>;
}

// That the hub is about to stop a server, and how to hold that off.
export function Ending({ server, ending, refresh }: EndingProps) {
  const [busy, setBusy] = useState(false);
  const keep = async () => {
    setBusy(true);
    await attempt(async () => tell((await api.keepRunning(me, server.name)).message));
    await refresh();
    setBusy(false);
  };
  const label = labelOf(server);
  return (
    <Note tone="warning">
      <div class="ending" role="status">
        <span class="grow">
          <strong>Stops in {lasting(ending.seconds_left * 1000)}</strong>: {reasons[ending.because]}. {advice(ending)}
        </span>
        {ending.extensions_left > 0 && (
          <button type="button" class="btn" disabled={busy} aria-label={`Keep ${label} running`} onClick={keep}>
            Keep running
          </button>
        )}
      </div>
    </Note>
  );
}
