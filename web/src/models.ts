// The hub's JSON (hub-protocol §7.3, §9.1, §11.2) and Berth's own resources below api/berth/.
export interface EndingModel {
  at: string;
  because: "idle" | "max_age" | "reclaim" | "lease" | "preempted" | "drain";
  seconds_left: number;
  extensions_left: number;
  extension_seconds: number;
  no_extension?: string;  // which rule keeps it from going on
}

// Of GPUs that are somebody's for a time.
export interface LeaseEndModel {
  id: number;
  until: string;
}

export interface ServerModel {
  name: string;
  display_name?: string | null;
  last_activity: string | null;
  started: string | null;
  pending: "spawn" | "stop" | "check" | "rename" | null;
  ready: boolean;
  stopped: boolean;
  url: string;
  progress_url: string;
  user_options: Record<string, unknown> | null;
  berth?: {
    profile: string | null;
    devices: string[];
    failure: string | null;
    stopped_because?: string;  // why the hub stopped it unasked
    stop_delayed?: string;     // why it is still stopping, once that takes longer than it should
    ending?: EndingModel;      // announced
    lease?: LeaseEndModel;
    hint?: string;             // advice, such as that it never used its GPU
    notice?: string;           // about its GPUs: one is sick, or goes out of service
    position?: number;  // of a start that waits for its turn; 1 is the next one
    waiting?: number;
  };
}

export interface UserModel {
  name: string;
  admin?: boolean;
  groups?: string[];
  created?: string;
  last_activity?: string | null;
  servers?: Record<string, ServerModel>;
}

export interface PageOf<T> {
  items: T[];
  _pagination: { offset: number; limit: number; total: number };
}

export interface TokenModel {
  id: string;
  kind: string;
  note: string | null;
  scopes: string[];
  created: string;
  last_activity: string | null;
  expires_at: string | null;
  oauth_client?: string | null;
  token?: string;
}

export interface SessionModel {
  id: string;
  created: string;
  client_address: string;
  user_agent: string;
  current: boolean;
}

// Where a person is told of their servers while no page is open.
export interface NoticesModel {
  mail: { possible: boolean; wanted: boolean; address: string | null };
  browsers: { possible: boolean; key?: string; endpoints?: string[] };
}

export interface ProfileModel {
  name: string;
  display_name: string;
  description: string;
  image: string;
  gpus: number;
  max_gpus: number;
  cpus: number | null;
  memory_bytes: number | null;
  allowed: boolean;
  available: {
    fits: boolean;
    free_gpus: number;
    total_gpus: number;
    reason: string | null;
    wait: WaitModel | null;  // it would not start now, but could wait
  };
}

// A place in the queue for GPUs, taken or offered.
export interface WaitModel {
  position: number;
  latest_start: string | null;
  likely_start: string | null;
  held_back_by: string | null;
}

export interface QueueEntryModel extends WaitModel {
  user: string | null;
  server: string | null;
  own: boolean;
  gpus: number;
  since: string;
}

export interface QueueModel {
  enabled: boolean;
  waiting: QueueEntryModel[];
}

export type DeviceUse = "free" | "held" | "idle" | "busy" | "external" | "cordoned" | "sick";

// The last hours of each GPU: who held it, what it was doing, and its means over steps of time.
export interface HistoryModel {
  from: string;
  to: string;
  step_seconds: number;
  series_from: string;
  devices: Record<string, { from: string; to: string | null; user: string | null; own: boolean }[]>;
  spans: Record<string, { from: string; to: string; state: DeviceUse }[]>;
  series: Record<string, { utilization: (number | null)[]; used_memory_bytes: (number | null)[] }>;
}

export type UsageKey = "user" | "group" | "project" | "model" | "profile";

export interface UsageRow {
  user?: string;
  group?: string;
  project?: string;
  model?: string;
  profile?: string;
  week: string;  // its Monday
  gpu_hours: number;
  used_hours: number;
  wasted_hours: number;
  energy_kwh: number;
}

export interface UsageModel {
  from: string;
  to: string;
  rows: UsageRow[];
}

export interface LeaseModel {
  id: number;
  user: string | null;
  server: string | null;
  project: string | null;
  state: string;
  exclusive: boolean;
  since: string;
  own: boolean;
  until: string | null;  // when it ends by what is known now
  sick: boolean;
  sick_reason: string | null;
}

export interface DeviceModel {
  uuid: string;
  index: number | null;
  name: string;
  memory_bytes: number | null;
  used_memory_bytes: number | null;
  utilization_percent: number | null;
  temperature_celsius: number | null;
  power_watts: number | null;
  capacity: number;
  leases_count: number;
  free: number;
  pool: string;  // "": the default one
  cordoned: boolean;
  drain: { reason: string; deadline: string | null } | null;
  eligible: boolean;
  health: string;
  health_detail: string;
  leases: LeaseModel[];
  external: (string | null)[];  // who uses it without Berth; null: not for these eyes
}

export interface GpusModel {
  simulated: boolean;
  stale: boolean;
  stale_since: string | null;
  oversubscription: number;
  devices: DeviceModel[];
}

export interface ReservationModel {
  id: number;
  user: string | null;
  group: string | null;
  project: string | null;
  own: boolean;
  gpus: number;
  pool: string;
  model: string;
  devices: string[];
  begin: string;
  end: string;
  running: boolean;
  note: string;
}

export interface ProgressEvent {
  position?: number;  // in the line of starts or the queue for GPUs, while this one waits
  waits_for?: "gpu";
  progress?: number;
  message?: string;
  ready?: boolean;
  failed?: boolean;
  url?: string;
  log?: string | string[];
}
