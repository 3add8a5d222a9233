import type { ServerResponse } from 'node:http';

/**
 * The error by which the app itself has cut off its response, as `pipeline(file, res)` does when the file cannot be read
 * on; `undefined` where nobody has, and where it was the client that went away.
 *
 * Node tells it to nobody: such a response emits `close`, as one does whose client has gone, and no `error`.
 *
 * @param socket the connection of the request
 */
export function cutOffBy(res: ServerResponse, socket: { readonly errored: Error | null }): Error | undefined {
  const { errored } = res;
  // `res.destroy(error)` destroys the connection with it. Node 24 gives responses that wait an error as well.
  return errored === null || errored !== socket.errored ? undefined : errored;
}
