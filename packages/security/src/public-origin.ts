import { parsedUrl, wrongOption } from '@signalbox/options';

/** The URL by which visitors reach the app, or a function for an app that learns it when it listens. */
export type PublicUrl = string | (() => string);

/** @throws {TypeError} when it is no http(s) URL */
export function publicOrigin(caller: string, publicUrl: unknown): () => string | undefined {
  if (typeof publicUrl === 'function') return rememberedOrigin(publicUrl as () => unknown);
  const origin = originOf(publicUrl);
  if (origin === undefined) {
    throw wrongOption(caller, 'publicUrl', 'a URL such as https://app.example.com, or a function', publicUrl);
  }
  return () => origin;
}

function rememberedOrigin(publicUrl: () => unknown): () => string | undefined {
  let url: unknown;
  let origin: string | undefined;
  return () => {
    const now = publicUrl();
    if (now !== url) {
      url = now;
      origin = originOf(now);
    }
    return origin;
  };
}

function originOf(url: unknown): string | undefined {
  if (typeof url !== 'string' || !/^https?:\/\//i.test(url)) return undefined;
  return parsedUrl(url)?.origin;
}
