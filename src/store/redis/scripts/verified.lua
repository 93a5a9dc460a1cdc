-- A code came back: one more of those that were sent in this window was verified.
-- KEYS: the prefix. ARGV: now.
local ends, sent, verified, told = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+):(%d+):(%d+):(%d)$')
if ends and tonumber(ends) > tonumber(ARGV[1]) and tonumber(verified) < tonumber(sent) then
  redis.call('SET', KEYS[1], string.format('%s:%s:%d:%s', ends, sent, tonumber(verified) + 1, told), 'KEEPTTL')
end
