import { useState } from "preact/hooks";
import { api } from "../api";
import type { TokenModel } from "../models";
import { me } from "../page";
import { Confirm } from "../parts/dialog";
import { Ago } from "../parts/parts";
import { attempt } from "../parts/toast";
import { count } from "../format";

interface TableProps {
  title: string;
  tokens: readonly TokenModel[];
  empty: string;
  refresh: () => Promise<void>;
  applications?: boolean;
}

const nameOf = (token: TokenModel, application: boolean): string =>
  (application ? token.oauth_client : token.note) || token.note || token.id;

export function TokenTable({ title, tokens, empty, refresh, applications = false }: TableProps) {
  const [asked, setAsked] = useState<TokenModel>();
  const revoke = async (token: TokenModel) => {
    await attempt(() => api.revokeToken(me, token.id), "Revoked.");
    await refresh();
  };
  return (
    <section class="stack-s">
      <h2>{title}</h2>
      <div class="card table-box">
        {tokens.length === 0 ? <p class="empty">{empty}</p> : (
          <table>
            <thead>
              <tr>
                <th scope="col">{applications ? "Application" : "Note"}</th>
                <th scope="col">May do</th>
                <th scope="col">Last used</th>
                <th scope="col">Created</th>
                <th scope="col">Expires</th>
                <th scope="col"><span class="visually-hidden">Actions</span></th>
              </tr>
            </thead>
            <tbody>
              {tokens.map((token) => (
                <tr key={token.id}>
                  <td data-label={applications ? "Application" : "Note"} class="wrap strong">{nameOf(token, applications)}</td>
                  <td data-label="May do" title={token.scopes.join("\n")}>{count(token.scopes.length, "scope")}</td>
                  <td data-label="Last used"><Ago time={token.last_activity} /></td>
                  <td data-label="Created"><Ago time={token.created} /></td>
                  <td data-label="Expires"><Ago time={token.expires_at} /></td>
                  <td class="cell-end">
                    <button type="button" class="btn btn-danger" aria-label={`Revoke ${nameOf(token, applications)}`}
                      onClick={() => setAsked(token)}>
                      Revoke
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
      {asked !== undefined && (
        <Confirm title={`Revoke ${nameOf(asked, applications)}?`} action="Revoke"
          text="Programs that use it are refused from then on. This cannot be taken back."
          onYes={() => revoke(asked)} onClose={() => setAsked(undefined)} />
      )}
    </section>
  );
}
