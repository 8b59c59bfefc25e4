// Calls of the hub's REST API with the cookie and its XSRF token (hub-protocol §6.4).
import type { GpusModel, HistoryModel, NoticesModel, PageOf, ProfileModel, QueueModel, ReservationModel, SessionModel, TokenModel, UsageKey, UsageModel, UserModel } from "./models";
import { page, segment } from "./page";

// A refusal, in the hub's own words.
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const messageIn = (text: string): string | undefined => {
  try {
    const value = JSON.parse(text) as { message?: unknown } | null;
    return typeof value?.message === "string" ? value.message : undefined;
  } catch {
    return undefined;
  }
};

// Two refusals that say more about this page than about the request.
function inOurWords(status: number, message: string | undefined): string {
  if (message === "Missing or invalid credentials.") return "You are signed out. Reload the page to sign in again.";
  if (message?.includes("XSRF") || message?.includes("_xsrf")) return "This page is out of date. Reload it and try again.";
  return message ?? `The hub answered ${status}. Try again, or ask an administrator.`;
}

async function call<T>(method: string, path: string, body?: unknown, accept = "application/json"): Promise<T> {
  const headers: Record<string, string> = { Accept: accept, "X-Xsrftoken": page.xsrf };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer: Response;
  try {
    answer = await fetch(`${page.hub}api/${path}`, {
      method,
      headers,
      credentials: "same-origin",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, "The hub does not answer. Check your connection; this page keeps trying.");
  }
  const text = await answer.text();
  if (!answer.ok) throw new ApiError(answer.status, inOurWords(answer.status, messageIn(text)));
  return (text === "" ? null : JSON.parse(text)) as T;
}

const userPath = (user: string): string => `users/${segment(user)}`;
export const serverApi = (user: string, server: string): string =>
  server === "" ? `${userPath(user)}/server` : `${userPath(user)}/servers/${segment(server)}`;

export interface UserQuery {
  offset: number;
  limit: number;
  name_filter: string;
  state: string;
  sort: string;
}

const pagination = "application/jupyterhub-pagination+json";

export const api = {
  user: (user: string) => call<UserModel>("GET", `${userPath(user)}?include_stopped_servers=1`),
  users: (query: UserQuery) => {
    const values = new URLSearchParams({ include_stopped_servers: "1" });
    for (const [key, value] of Object.entries(query)) if (value !== "") values.set(key, String(value));
    return call<PageOf<UserModel>>("GET", `users?${values}`, undefined, pagination);
  },
  addUsers: (usernames: string[], admin: boolean) => call<UserModel[]>("POST", "users", { usernames, admin }),
  setAdmin: (user: string, admin: boolean) => call<UserModel>("PATCH", userPath(user), { name: user, admin }),
  deleteUser: (user: string) => call<null>("DELETE", userPath(user)),
  invite: (user: string) => call<{ url: string; expires_at: string }>("POST", `berth/${userPath(user)}/invite`),

  start: (user: string, server: string, options?: Record<string, unknown>) =>
    call<null>("POST", serverApi(user, server), options === undefined ? {} : { user_options: options }),
  stop: (user: string, server: string) => call<null>("DELETE", serverApi(user, server)),
  keepRunning: (user: string, server: string) =>
    call<{ kept_until: string; message: string }>("POST", `berth/${userPath(user)}/servers/${segment(server)}/keep_running`),
  extendLease: (lease: number) =>
    call<{ until: string; message: string }>("POST", `berth/leases/${lease}/extend`, {}),
  removeServer: (user: string, server: string) => call<null>("DELETE", serverApi(user, server), { remove: true }),
  addServer: (user: string, server: string, displayName: string) =>
    call<unknown>("PUT", serverApi(user, server), { display_name: displayName }),

  tokens: (user: string) => call<{ api_tokens: TokenModel[] }>("GET", `${userPath(user)}/tokens`),
  addToken: (user: string, body: Record<string, unknown>) => call<TokenModel>("POST", `${userPath(user)}/tokens`, body),
  revokeToken: (user: string, id: string) => call<null>("DELETE", `${userPath(user)}/tokens/${segment(id)}`),

  sessions: (user: string) => call<{ sessions: SessionModel[] }>("GET", `berth/${userPath(user)}/sessions`),
  endSession: (user: string, id: string) => call<null>("DELETE", `berth/${userPath(user)}/sessions/${segment(id)}`),
  endSessions: (user: string) => call<null>("DELETE", `berth/${userPath(user)}/sessions`),

  notices: (user: string) => call<NoticesModel>("GET", `berth/${userPath(user)}/notices`),
  setNotices: (user: string, change: { mail?: boolean }) =>
    call<NoticesModel>("PATCH", `berth/${userPath(user)}/notices`, change),
  addBrowser: (user: string, subscription: PushSubscriptionJSON) =>
    call<NoticesModel>("POST", `berth/${userPath(user)}/notices/browsers`, subscription),
  removeBrowser: (user: string, endpoint: string) =>
    call<NoticesModel>("DELETE", `berth/${userPath(user)}/notices/browsers`, { endpoint }),

  profiles: (user: string, server: string, project: string) =>
    call<ProfileModel[]>("GET", `berth/profiles?${new URLSearchParams({ user, server, project })}`),
  gpus: () => call<GpusModel>("GET", "berth/gpus"),
  gpuHistory: () => call<HistoryModel>("GET", "berth/gpu/history"),
  gpuQueue: () => call<QueueModel>("GET", "berth/gpu/queue"),
  gpuUsage: (by: UsageKey, from: string) =>
    call<UsageModel>("GET", `berth/gpu/usage?${new URLSearchParams({ by: `${by},week`, from })}`),
  reservations: () => call<{ reservations: ReservationModel[] }>("GET", "berth/gpu/reservations?past=1"),
  reserve: (body: Record<string, unknown>) => call<ReservationModel>("POST", "berth/gpu/reservations", body),
  unreserve: (id: number) => call<null>("DELETE", `berth/gpu/reservations/${id}`),
};

// Of a GET that the browser itself makes: a stream, or a file to keep.
export const urlOf = (path: string, query: Record<string, string> = {}): string =>
  `${page.hub}api/${path}?${new URLSearchParams({ ...query, _xsrf: page.xsrf })}`;

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
