-- Berth's kinds follow kstatus: status.observedGeneration is the generation that the conditions are about, Ready is
-- always there once an object was observed, and Stalled is there only while waiting cannot help.
local function health(status, message)
  return { status = status, message = message }
end

local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local ready, stalled = conditions.Ready, conditions.Stalled
if ready == nil or status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "Berth has not seen this version yet")
end
if stalled ~= nil and stalled.status == "True" then
  return health("Degraded", stalled.message)
end
if ready.status == "True" then
  return health("Healthy", ready.message)
end
return health("Progressing", ready.message)
