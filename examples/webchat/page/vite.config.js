import { defineConfig } from "vite";

// The build is written to ../dist, which the Go program embeds. Its file names
// have no hash, so that a build of the same source is the same.
export default defineConfig({
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    modulePreload: false,
    chunkSizeWarningLimit: 600,
    rollupOptions: {
      output: { entryFileNames: "app.js", assetFileNames: "[name][extname]", codeSplitting: false },
    },
  },
  server: { proxy: { "/api": "http://localhost:8080" } },
});
