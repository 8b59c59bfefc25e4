// Icons on a 16 px grid, 1.5 px lines. Decoration: what they mean is always in text beside them or in a label.
const paths = {
  check: "m3 8.5 3.2 3.2L13 5",
  alert: "M8 5v3.6M8 11v.2M14.5 8a6.5 6.5 0 1 1-13 0 6.5 6.5 0 0 1 13 0z",
  cross: "m4.5 4.5 7 7M11.5 4.5l-7 7",
  plus: "M8 3.5v9M3.5 8h9",
  play: "M5.5 3.5v9l7-4.5z",
  stop: "M4.5 4.5h7v7h-7z",
  open: "M9.5 3h3.5v3.5M13 3 7.5 8.5M11.5 9.5V12a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V5.5a1 1 0 0 1 1-1h2.5",
  chip: "M5 5h6v6H5zM3.5 3.5h9v9h-9zM6.5 3.5v-2M9.5 3.5v-2M6.5 14.5v-2M9.5 14.5v-2M3.5 6.5h-2M3.5 9.5h-2M14.5 6.5h-2M14.5 9.5h-2",
  clock: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0zM8 4.8V8l2.2 1.5",
  pulse: "M1.5 8.5h3l2-5 3 9 2-4h3",
  box: "m8 1.8 5.5 3v6.4L8 14.2l-5.5-3V4.8zM2.5 4.8 8 8l5.5-3.2M8 8v6.2",
  memory: "M2 5h12v6.5H2zM4.5 11.5v1.5M8 11.5v1.5M11.5 11.5v1.5M5 7.5v1.5M8 7.5v1.5M11 7.5v1.5",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  copy: "M6 6h7v7H6zM10 6V3H3v7h3",
  key: "M9.5 6.5a3 3 0 1 1-.9-2.1 3 3 0 0 1 .9 2.1zM8.6 8.6 13.5 13.5M11.5 11.5l1.5-1.5",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  const bold = name === "more" ? 2.4 : 1.5;
  return (
    <svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width={bold}
      stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
