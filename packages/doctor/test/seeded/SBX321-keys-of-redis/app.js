export const all = (redis) => redis.keys('session:*');
