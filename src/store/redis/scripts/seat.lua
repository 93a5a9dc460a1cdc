-- A node is about to be asked for these keys. If it is another than was asked before, or if lines may be missing, the marker goes,
-- and with it all belief in the lines: a slot is moved key by key, and a replica that takes over half-way knows nothing of it.
-- KEYS: the marker, the seat, one that is never there (see `nobody`). ARGV: the node's name, whether lines may be missing.
if ARGV[2] == '1' or redis.call('GET', KEYS[2]) ~= ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call('SET', KEYS[2], ARGV[1])
  return 1
end
return 0
