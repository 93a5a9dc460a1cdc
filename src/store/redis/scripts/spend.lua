-- Spend one message: of the day's cap and at its prefix, both or neither. Times are milliseconds and compared with the `now`
-- that is given; the expiry only sweeps.
-- KEYS: the day, the prefix. ARGV: now, the day's end, messages a day, window, least, percent, charge (code, notice, nothing).
-- Returns {verdict, wait, is_first, count, verified}: 1 taken (count: today), 0 capped, -1 open (count: sent in the window).
local now, midnight, cap = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local window, least, percent, charge = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]

local function read(key, longest, fresh)
  local ends, one, two, told = string.match(redis.call('GET', key) or '', '^(%d+):(%d+):(%d+):(%d)$')
  ends = tonumber(ends or 0)
  if ends <= now then
    return {ends = fresh, one = 0, two = 0, told = 0}
  end
  -- A clock that was set back, or a window that was made shorter, must not shut anything for longer.
  return {ends = math.min(ends, now + longest), one = tonumber(one), two = tonumber(two), told = tonumber(told)}
end

local function write(key, it)
  local value = string.format('%.0f:%d:%d:%d', it.ends, it.one, it.two, it.told)
  redis.call('SET', key, value, 'PX', math.max(60000, it.ends - now))
end

local function refuse(verdict, key, it)
  local is_first = it.told == 0 and charge ~= 'nothing'
  if is_first then
    it.told = 1
    write(key, it)
  end
  return {verdict, it.ends - now, is_first and 1 or 0, it.one, it.two}
end

local day, prefix = read(KEYS[1], 86400000, midnight), read(KEYS[2], window, now + window)
if charge ~= 'notice' and prefix.one >= least and prefix.two * 100 < prefix.one * percent then
  return refuse(-1, KEYS[2], prefix)
end
if day.one >= cap then
  return refuse(0, KEYS[1], day)
end
if charge ~= 'nothing' then
  day.one = day.one + 1
  write(KEYS[1], day)
end
if charge == 'code' then
  prefix.one = prefix.one + 1
  write(KEYS[2], prefix)
end
return {1, 0, 0, day.one, 0}
