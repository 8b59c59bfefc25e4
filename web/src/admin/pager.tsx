import { count } from "../format";

interface PagerProps {
  offset: number;
  limit: number;
  total: number;
  one: string;
  many?: string;
  onMove: (offset: number) => void;
}

export function Pager({ offset, limit, total, one, many, onMove }: PagerProps) {
  const all = count(total, one, many);
  if (total <= limit && offset === 0) return <p class="pager muted small">{all}</p>;
  const last = Math.min(total, offset + limit);
  return (
    <nav class="pager" aria-label="Pages">
      <span class="muted small num" role="status">{`${Math.min(total, offset + 1)} to ${last} of ${all}`}</span>
      <button type="button" class="btn" disabled={offset === 0} onClick={() => onMove(Math.max(0, offset - limit))}>
        Previous
      </button>
      <button type="button" class="btn" disabled={last >= total} onClick={() => onMove(offset + limit)}>Next</button>
    </nav>
  );
}
