-- Lines of the ledger, then the marker: all in one act.
-- KEYS: the marker, then one key for each line.
-- ARGV: the ledger, the number before the first line, the last number; then for each line: below, expires, life (ms).
local arg = 4
for key = 2, #KEYS do
  local below, expires, life = ARGV[arg], ARGV[arg + 1], ARGV[arg + 2]
  arg = arg + 3
  local old_below, old_expires = string.match(redis.call('GET', KEYS[key]) or '', '^(%d+):(%d+)$')
  if old_below and tonumber(old_below) > tonumber(below) then
    below = old_below
  end
  if old_expires and tonumber(old_expires) > tonumber(expires) then
    expires = old_expires
    life = math.max(tonumber(life), redis.call('PTTL', KEYS[key]))
  end
  redis.call('SET', KEYS[key], below .. ':' .. expires, 'PX', life)
end

local ledger, after, upto = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local name, number = string.match(redis.call('GET', KEYS[1]) or '', '^(.*):(%d+)$')
local marker = name == ledger and tonumber(number) or -1
if marker >= upto then
  return 1
end
if after > 0 and marker < after then
  return 0
end
redis.call('SET', KEYS[1], ledger .. ':' .. ARGV[3])
return 1
