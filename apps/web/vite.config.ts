import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** The pages; tools/build-pages.ts builds them, and the server in server/ serves them. */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  build: {
    outDir: '../../dist/apps/web/public',
    emptyOutDir: true,
    target: 'es2023',
    // An inlined file would be a data: URL, which the Content-Security-Policy doesn't let scripts and styles be.
    assetsInlineLimit: 0,
    sourcemap: false,
    // The map is large, and loaded when it is needed; build-pages.ts limits what is not.
    chunkSizeWarningLimit: 2_000,
  },
  worker: { format: 'es' },
});
