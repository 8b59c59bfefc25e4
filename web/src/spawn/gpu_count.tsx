import type { ProfileModel } from "../models";

interface GpuCountProps {
  profile: ProfileModel;
  value: number;
  onChange: (value: number) => void;
}

// How many GPUs: as many as the profile allows, those that cannot be had now switched off.
export function GpuCount({ profile, value, onChange }: GpuCountProps) {
  const { free_gpus: free, total_gpus: total, wait } = profile.available;
  const most = wait === null ? free : total;
  const choices = Array.from({ length: profile.max_gpus - profile.gpus + 1 }, (_, step) => profile.gpus + step);
  if (choices.length < 2) return null;
  return (
    <fieldset class="row">
      <legend class="visually-hidden">Number of GPUs</legend>
      <span class="label" aria-hidden="true">GPUs</span>
      <div class="segments">
        {choices.map((choice) => (
          <label key={choice}>
            <input type="radio" name="gpus" value={choice} checked={choice === value}
              disabled={choice > most} onChange={() => onChange(choice)} />
            <span class="num">{choice}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
