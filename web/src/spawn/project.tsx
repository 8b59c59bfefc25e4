import { page } from "../page";

// Those for which this person may hold GPUs.
export const projects: readonly string[] = Array.isArray(page.data.projects) ? page.data.projects : [];

interface ProjectProps {
  value: string;
  onChange: (value: string) => void;
}

// For which project the GPUs are held; "" is none.
export function Project({ value, onChange }: ProjectProps) {
  return (
    <label class="row">
      <span class="label">Project</span>
      <select id="project" name="project" class="input" value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        <option value="">none</option>
        {projects.map((project) => <option key={project} value={project}>{project}</option>)}
      </select>
    </label>
  );
}
