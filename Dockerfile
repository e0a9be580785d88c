# Three stages: the compiler's stage and the one that downloads packages leave nothing in the image but what is copied.
# `.ci/prove-dockerfile.mjs` runs these steps in a clean directory where no container engine is at hand.

FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

FROM node:22-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev
# onnxruntime-node carries its libraries for every platform, libsql for both C libraries; only this one's can ever be
# loaded here.
RUN find node_modules/onnxruntime-node/bin/napi-v* -mindepth 1 -maxdepth 1 ! -name linux -exec rm -rf {} + \
  && find node_modules/onnxruntime-node/bin/napi-v*/linux -mindepth 1 -maxdepth 1 ! -name "$(node -p process.arch)" -exec rm -rf {} + \
  && rm -rf node_modules/@libsql/*-musl*

FROM node:22-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080
# Large blocks go back to the system as soon as they are free: without it glibc keeps the memory of checkpoints that were
# swapped out (docs/deploy.md).
ENV MALLOC_MMAP_THRESHOLD_=1048576 MALLOC_TRIM_THRESHOLD_=8388608
WORKDIR /app
# The only directory that the server writes to; mount a volume over it when the rest is read-only.
RUN mkdir -p state && chown 1000:1000 state
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY web ./web
COPY models ./models
# By number, so that an orchestrator can see that it is not root.
USER 1000:1000
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/readyz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/src/main.js"]
