import { ago, soon } from "../format";
import type { QueueEntryModel } from "../models";

export function startOf(entry: QueueEntryModel, now: number): string {
  const { likely_start: likely, latest_start: latest } = entry;
  if (entry.held_back_by !== null) return entry.held_back_by;
  if (likely === null) return latest === null ? "when somebody stops" : `${soon(latest, now)} at the latest`;
  return latest === null || latest === likely ? soon(likely, now) : `${soon(likely, now)}, ${soon(latest, now)} at the latest`;
}

const nameOf = (entry: QueueEntryModel): string =>
  entry.user === null ? "Somebody else" : entry.server ? `${entry.user} / ${entry.server}` : entry.user;

// Who waits, first to be served first.
export function Queue({ entries, now }: { entries: readonly QueueEntryModel[]; now: number }) {
  return (
    <section class="stack-s" aria-labelledby="queue-title">
      <h2 id="queue-title">Waiting for a GPU</h2>
      {entries.length === 0 ? <p class="card empty">Nobody waits.</p> : (
        <div class="card table-box">
          <table>
            <thead><tr><th>Who</th><th>Place</th><th>GPUs</th><th>Since</th><th>Starts</th></tr></thead>
            <tbody>
              {entries.map((entry) => (
                <tr key={entry.position} class={entry.own ? "is-own" : ""}>
                  <td><span class="strong">{nameOf(entry)}</span>{entry.own ? " (you)" : ""}</td>
                  <td class="num" data-label="Place">{entry.position}</td>
                  <td class="num" data-label="GPUs">{entry.gpus}</td>
                  <td class="num nowrap" data-label="Since">{ago(entry.since, now)}</td>
                  <td data-label="Starts">{startOf(entry, now)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
