// The board's script takes Preact from the page's (src/parts/board.tsx), so that both draw into one tree.
export const sharedPreact = {
  name: "shared-preact",
  setup(build) {
    build.onResolve({ filter: /^preact($|\/)/ }, ({ path }) => ({ path, namespace: "shared-preact" }));
    build.onLoad({ filter: /.*/, namespace: "shared-preact" }, ({ path }) => ({
      contents: `module.exports = globalThis.berthShared[${JSON.stringify(path)}];` }));
  },
};
