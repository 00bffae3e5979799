/// <reference types="vitest/config" />
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

/** Where `npm run dev` finds the API: `TENUTO_SERVER`, or the address of `tenuto dev`. */
const server = process.env['TENUTO_SERVER'] ?? 'http://127.0.0.1:7007';
const api = ['/graphql', '/orders', '/workflows', '/circuits', '/audit', '/customers', '/participants', '/console.json', '/me'];
const forwarded = (path: string) => [path, { target: server, changeOrigin: true }] as const;

export default defineConfig({
  base: '/ui/',
  plugins: [svelte()],
  build: {
    // One script and one style sheet, under names that stay: the crate `query-api` embeds them.
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: false,
    reportCompressedSize: false,
    target: 'es2023',
    // The first that have `light-dark()`.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    rolldownOptions: {
      output: {
        entryFileNames: 'assets/console.js',
        assetFileNames: (asset) => (asset.names.some((name) => name.endsWith('.css')) ? 'assets/console.css' : 'assets/[name][extname]'),
        codeSplitting: false,
      },
    },
  },
  server: { proxy: Object.fromEntries(api.map(forwarded)) },
  test: { include: ['src/**/*.test.ts'] },
});
