-- Takes one from a bucket: the arithmetic of `Quota::spend`, by Redis's own clock.
--
-- KEYS[1]: the bucket, of which the instant is kept at which it is full again, in microseconds.
-- KEYS[2], if given: what may be spent for once only; it is remembered for ARGV[3] milliseconds.
-- ARGV[1], ARGV[2]: the interval and the window of the quota, in microseconds.
--
-- Answers: whether there was one; whether it was taken now; how long until the bucket is full; how
-- long until there is one.
local interval, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local before = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 then
    return {1, 0, before - now, 0}
end
local after = before + interval
if after - now > window then
    return {0, 0, before - now, after - now - window}
end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
if KEYS[2] then
    redis.call('SET', KEYS[2], '', 'PX', ARGV[3])
end
return {1, 1, after - now, 0}
