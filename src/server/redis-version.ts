/** The version of Redis whose clients can be sure of what they find here: libraries branch on it. */
export const redisVersion = "7.2.4";
