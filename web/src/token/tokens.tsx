import { useCallback, useState } from "preact/hooks";
import { api } from "../api";
import { useLive } from "../live";
import type { TokenModel } from "../models";
import { me } from "../page";
import { Loading, Note, Secret } from "../parts/parts";
import { NewToken } from "./new_token";
import { Notices } from "./notices";
import { Sessions } from "./sessions";
import { TokenTable } from "./token_table";

export function Tokens() {
  const tokens = useLive(useCallback(() => api.tokens(me), []), 30000);
  const [fresh, setFresh] = useState<TokenModel>();
  const added = async (token: TokenModel) => {
    setFresh(token);
    await tokens.refresh();
  };
  const all = tokens.value?.api_tokens ?? [];
  const own = all.filter((token) => !token.oauth_client || token.oauth_client === "JupyterHub");
  const given = all.filter((token) => token.oauth_client && token.oauth_client !== "JupyterHub");
  return (
    <div class="stack-l">
      <div class="stack-s">
        <h1>Tokens</h1>
        <p class="lead">A token lets a program act for you. Treat it as a password.</p>
      </div>
      <NewToken onAdded={added} />
      {fresh?.token !== undefined && (
        <Note tone="ok">
          <div class="stack-s">
            <p class="strong">Copy the new token now. It is not shown again.</p>
            <Secret label="New token" value={fresh.token} />
          </div>
        </Note>
      )}
      {tokens.value === undefined ? <Loading error={tokens.error} /> : (
        <TokenTable title="Your tokens" tokens={own} empty="No tokens yet." refresh={tokens.refresh} />
      )}
      {given.length > 0 && (
        <TokenTable title="Applications with access" tokens={given} empty="" refresh={tokens.refresh} applications />
      )}
      <Notices />
      <Sessions />
    </div>
  );
}
