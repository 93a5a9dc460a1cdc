-- Forget the marker if it is still this one.
-- KEYS: the marker. ARGV: its value.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
