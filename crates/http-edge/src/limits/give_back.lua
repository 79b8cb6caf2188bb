-- Puts one back into a bucket: the arithmetic of `Quota::give_back`, by Redis's own clock.
--
-- KEYS[1]: the bucket, as spend.lua keeps it.
-- ARGV[1]: the interval of the quota, in microseconds.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local after = tonumber(redis.call('GET', KEYS[1]) or '0') - tonumber(ARGV[1])
if after <= now then
    redis.call('DEL', KEYS[1])
else
    redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
end
