export { config } from './config.js';
export { configOrExit } from './config-or-exit.js';
export { ConfigError } from './config-error.js';
export { describeConfig } from './describe-config.js';
export { printConfig, settingsOf } from './settings.js';

export { flag, list, port, profile, text } from './basics.js';
export { cidrs, origins, url } from './network.js';
export { bytes, duration, rate } from './quantities.js';
export { secret, secrets } from './secrets.js';

export type { ListOptions, Profile } from './basics.js';
export type { Config } from './config.js';
export type { ConfigProblem } from './config-error.js';
export type { SettingDescription } from './describe-config.js';
export type { ConfigFile } from './files.js';
export type { DeepReadonly } from './frozen.js';
export type { UrlOptions } from './network.js';
export type { ConfigOptions } from './options.js';
export type { DurationOptions, Rate } from './quantities.js';
export type { SecretOptions } from './secrets.js';
export type { PrintOptions, Setting } from './settings.js';
