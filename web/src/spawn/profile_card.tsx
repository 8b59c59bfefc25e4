import { bytes, count, soon } from "../format";
import type { ProfileModel } from "../models";
import { Fact } from "../parts/parts";

export const mustWait = (profile: ProfileModel): boolean => !profile.available.fits && profile.available.wait !== null;
export const canStart = (profile: ProfileModel): boolean =>
  profile.allowed && (profile.available.fits || profile.available.wait !== null);

function whyNot(profile: ProfileModel): string | undefined {
  if (!profile.allowed) return "Your groups may not use this profile. Ask an administrator.";
  if (!canStart(profile)) return profile.available.reason ?? "Nothing that fits is free now.";
  return undefined;
}

// What waiting would mean: the place, and when it starts as far as anybody knows.
function waiting(profile: ProfileModel): string | undefined {
  const wait = profile.available.wait;
  if (!profile.allowed || profile.available.fits || wait === null) return undefined;
  const reason = wait.held_back_by ?? profile.available.reason ?? "Others are waiting for the free GPUs.";
  const start = wait.likely_start ?? wait.latest_start;
  const when = start === null ? "" : `, and it probably starts ${soon(start)}`;
  return `${reason.replace(/\.?$/, ".")} You would be number ${wait.position} in the queue${when}.`;
}

function Availability({ profile }: { profile: ProfileModel }) {
  const { free_gpus: free, total_gpus: total } = profile.available;
  if (!profile.allowed) return <span class="pill pill-plain">Not for you</span>;
  if (profile.max_gpus === 0) return <span class="pill pill-plain">No GPU</span>;
  const tone = profile.available.fits ? "pill-ok" : "pill-warn";
  return <span class={`pill ${tone} num`}>{total === 0 ? "No GPU here" : `${free} of ${count(total, "GPU")} free`}</span>;
}

interface CardProps {
  profile: ProfileModel;
  chosen: boolean;
  onChoose: () => void;
}

export function ProfileCard({ profile, chosen, onChoose }: CardProps) {
  const why = whyNot(profile);
  const note = why ?? waiting(profile);
  const id = `profile-${profile.name}`;
  return (
    <label class={`profile${why === undefined ? "" : " profile-off"}`}>
      <input type="radio" name="profile" value={profile.name} checked={chosen} disabled={why !== undefined}
        aria-describedby={id} onChange={onChoose} />
      <span class="profile-name">{profile.display_name || profile.name}</span>
      <Availability profile={profile} />
      <div class="profile-rest" id={id}>
        {profile.description !== "" && <p class="muted wrap">{profile.description}</p>}
        <div class="profile-facts">
          {profile.max_gpus > 0 && (
            <Fact icon="chip">
              {profile.gpus === profile.max_gpus ? count(profile.gpus, "GPU") : `${profile.gpus} to ${count(profile.max_gpus, "GPU")}`}
            </Fact>
          )}
          {profile.cpus !== null && <Fact icon="pulse">{count(profile.cpus, "CPU")}</Fact>}
          {profile.memory_bytes !== null && <Fact icon="memory">{bytes(profile.memory_bytes)}</Fact>}
          {profile.image !== "" && <Fact icon="box" title="Image"><code>{profile.image}</code></Fact>}
        </div>
        {note !== undefined && <p class="profile-why">{note}</p>}
      </div>
    </label>
  );
}
