/** Listens, and ends in order on SIGTERM. */
export function serveSoundly(app) {
  const server = app.listen(process.env.PORT, process.env.HOST);
  process.on('SIGTERM', () => server.close());
  return server;
}
