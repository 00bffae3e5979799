/// <reference types="vitest/config" />
import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

/** Where `npm run dev` finds the API: `TENUTO_SERVER`, or the address of `tenuto dev`. */
const server = process.env['TENUTO_SERVER'] ?? 'http://127.0.0.1:7007';
const api = ['/graphql', '/orders', '/workflows', '/circuits', '/audit', '/customers', '/participants', '/console.json', '/me'];
const forwarded = (path: string) => [path, { target: server, changeOrigin: true }] as const;

/** The fonts of GraphiQL are written into its style sheet, which the pages' policy does not allow. */
const withoutFonts: Plugin = {
  name: 'without-fonts',
  enforce: 'pre',
  transform: (code, id) => (/\/graphiql\/.*\.css$/.test(id) ? code.replace(/@font-face\s*\{[^}]*\}/g, '') : null),
};

/**
 * `vite build` builds the console, and `vite build --mode graphiql` the page at `/graphql`. Each is
 * one script and one style sheet, under names that stay: the crate `query-api` embeds them.
 */
export default defineConfig(({ mode }) => {
  const page = mode === 'graphiql' ? 'graphiql' : 'console';
  return {
    base: '/ui/',
    plugins: [svelte(), withoutFonts],
    resolve: { alias: { 'react-style-singleton': fileURLToPath(new URL('src/graphiql/noStyleSingleton.ts', import.meta.url)) } },
    build: {
      emptyOutDir: page === 'console',
      assetsInlineLimit: 0,
      cssCodeSplit: false,
      modulePreload: false,
      reportCompressedSize: false,
      chunkSizeWarningLimit: 1500,
      target: 'es2023',
      // The first that have `light-dark()`.
      cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
      rolldownOptions: {
        // GraphiQL's libraries mark what a server of React must not run; here nothing is run by one.
        onLog: (level, log, handle) => (log.code === 'MODULE_LEVEL_DIRECTIVE' ? undefined : handle(level, log)),
        input: page === 'console' ? 'index.html' : 'graphiql.html',
        output: {
          entryFileNames: `assets/${page}.js`,
          assetFileNames: (asset) => (asset.names.some((name) => name.endsWith('.css')) ? `assets/${page}.css` : 'assets/[name][extname]'),
          codeSplitting: false,
        },
      },
    },
    server: { proxy: Object.fromEntries(api.map(forwarded)) },
    test: { include: ['src/**/*.test.ts'] },
  };
});
