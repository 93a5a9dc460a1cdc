-- Take one of a quota. Times are milliseconds and compared with the `now` that is given; the expiry, a
-- window after the last use, only sweeps.
-- KEYS: what is counted. ARGV: now, count, window.
-- Returns {1, how many are left} or {0, how long to wait}.
local now, count, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local ends, used = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+):(%d+)$')
ends, used = tonumber(ends or 0), tonumber(used or 0)
if ends <= now then
  ends, used = now + window, 0
end
-- A clock that was set back, or a window that was made shorter, must not keep anybody waiting for longer than a window.
if ends > now + window then
  ends = now + window
  redis.call('SET', KEYS[1], string.format('%.0f:%d', ends, used), 'PX', math.max(1, window))
end
if used >= count then
  return {0, ends - now}
end
redis.call('SET', KEYS[1], string.format('%.0f:%d', ends, used + 1), 'PX', math.max(1, window))
return {1, count - used - 1}
