-- A message was not sent: take it out of the day and of its prefix again.
-- KEYS: the day, and the prefix if it was counted there.
for _, key in ipairs(KEYS) do
  local ends, sent, rest = string.match(redis.call('GET', key) or '', '^(%d+):(%d+):(.*)$')
  if ends and tonumber(sent) > 0 then
    redis.call('SET', key, string.format('%s:%d:%s', ends, tonumber(sent) - 1, rest), 'KEEPTTL')
  end
end
