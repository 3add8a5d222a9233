/** What may be sent as an argument. */
export type RedisArgument = string | number | Buffer;

/** What Redis answers: text as strings, or as bytes where those were asked for. */
export type RedisReply = string | number | null | Buffer | RedisReply[];
