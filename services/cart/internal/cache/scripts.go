package cache

// meetScript moves the epoch on where Redis runs under another id than last
// time: it was started again, and may have lost what it last acknowledged.
// KEYS: epoch.
const meetScript = `
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if redis.call('HGET', KEYS[1], 'run') ~= run then
  redis.call('HSET', KEYS[1], 'run', run)
  redis.call('HINCRBY', KEYS[1], 'n', 1)
end
return 1`

// getScript gives the copy of the present epoch; with none there, it leaves
// the ticket and gives that; with a ticket or mark of somebody else, "".
// KEYS: cart, epoch. ARGV: ticket, its life in ms.
const getScript = `
local epoch = redis.call('HGET', KEYS[2], 'n') or '0'
local v = redis.call('GET', KEYS[1])
if v then
  local of = string.match(v, '^{"epoch":(%d+),')
  if of == epoch then return v end
  if not of then return '' end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]`

// fillScript stores a copy while the ticket is there.
// KEYS: cart, epoch. ARGV: ticket, the copy after its epoch, its life in ms.
const fillScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local epoch = redis.call('HGET', KEYS[2], 'n') or '0'
redis.call('SET', KEYS[1], '{"epoch":' .. epoch .. ARGV[2], 'PX', ARGV[3])
return 1`

// settleScript stores a copy while the mark is there. Another writer's mark is
// left alone; anything else may be of before the write, and goes.
// KEYS: cart, epoch. ARGV: mark, the copy after its epoch, its life in ms.
const settleScript = `
local v = redis.call('GET', KEYS[1])
if v == ARGV[1] then
  local epoch = redis.call('HGET', KEYS[2], 'n') or '0'
  redis.call('SET', KEYS[1], '{"epoch":' .. epoch .. ARGV[2], 'PX', ARGV[3])
  return 1
end
if v and string.sub(v, 1, 9) ~= '{"write":' then redis.call('DEL', KEYS[1]) end
return 0`

// dropScript takes away anything but a writer's mark. KEYS: cart.
const dropScript = `
local v = redis.call('GET', KEYS[1])
if v and string.sub(v, 1, 9) ~= '{"write":' then redis.call('DEL', KEYS[1]) end
return 1`
